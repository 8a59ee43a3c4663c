"""English words to phonemes, by hibari: misaki's lexicon and rules, no espeak."""

from realtime_avatar.voice.phonemes import Phonemiser, Spoken


def phonemiser(*, british: bool = False) -> Phonemiser:
    """Load the lexicon (about half a second) and return what turns text into phonemes.

    Args:
        british: British rather than American pronunciation.
    """
    from hibari.g2p import G2P
    from hibari.g2p.normalize import normalize

    g2p = G2P(british=british)

    def phonemise(text: str) -> list[Spoken]:
        tokens = g2p.phonemize_tokens(g2p.tokenize(normalize(text)))
        return [
            Spoken(
                token.text + token.whitespace,
                (token.phonemes or "") + (" " if token.whitespace else ""),
            )
            for token in tokens
        ]

    phonemise("Zxqv")  # loads the network for words that are in no lexicon
    return phonemise
