"""The craft of answering from numbered passages, and the fictional companies it is learned on."""
