"""Words to speech: normalisation, sentence cutting, synthesisers."""
