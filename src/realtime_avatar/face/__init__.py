"""Speech to pictures: enrolment, motion, life between words, renderers."""
