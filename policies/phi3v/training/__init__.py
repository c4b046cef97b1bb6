"""Training of Phi-3-vision policies: what they are shown is made by the code that shows it to them when they play."""
