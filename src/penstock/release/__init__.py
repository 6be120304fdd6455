"""Release: which checkpoint answers whom, and the evidence that moves it on or back."""
