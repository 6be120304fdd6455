"""How far each signal can be believed, measured on real data that people labelled; one file per data set."""
