"""How the viseme network's training data is made: texts, voices, labels, augmentation."""
