"""Train, judge and record one scikit-learn model."""
