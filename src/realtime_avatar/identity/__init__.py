"""Who may be heard and seen: voices and portraits, each with the consent of its owner."""
