"""The types a model file may hold beside those skops trusts by itself. Reviewed one by one.

A type is added when it only holds numbers or parameters, and building it from a file runs no code that the
file chooses. What a model file says of its own trusted types is ignored. The list keeps foreign code out; it
does not make a forged tree harmless, whose wrong indices can crash a worker.
"""

ALLOWED_TYPES = frozenset(
    {
        # Trees: arrays of nodes and values, in compiled code of scikit-learn.
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        # Nearest neighbours: the index over the training rows and the metric it was built for.
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        # Neural networks: the state of the optimiser, numbers only.
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        # Voting and stacking: a dict with attributes.
        "sklearn.utils._bunch.Bunch",
        # Calibration: a fitted classifier with the numbers of its curve.
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        # Grid search: how it split and scored; not used in predict.
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.StratifiedKFold",
        # Choice of columns: pure functions over arrays, and the dtype an imputer was fitted on.
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "numpy.dtype",
        # Left out on purpose: functools.partial, which calls what it holds; gradient boosting on columns of
        # dtype category needs it. Encode such columns in the pipeline instead.
    }
)
