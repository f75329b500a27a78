"""The scikit-learn types that a `.skops` file may build, and why each group of them is safe.

A `.skops` file is a zip with a JSON tree. Each node names a type and one of skops' loaders, and
to trust a name means to trust everything that any loader does with it: import its module, call
it with arguments from the file, call `__new__` and `__setstate__`, or put it into an attribute
for other code to call. skops trusts names alone, among them every public estimator. Here a name
is reviewed together with the one loader that honest files use for it, so that no node can call
a class as a function or place a function where a class belongs.

What is left out, and why:

* `FunctionTransformer` (but for the identity, which stands for `passthrough`), functions of
  `TransformedTargetRegressor`, scorers, `functools.partial`, `operator.*`, methods and ufuncs:
  they are, or run, a callable that the file picks.
* Sparse matrices, and so models that keep one: their index arrays are used without bounds checks.
* `SplineTransformer` (scipy's `BSpline`), `BisectingKMeans`, `NMF`, dictionary learning, `Isomap`
  and relatives, `LatentDirichletAllocation`: compiled code reads arrays of the file whose shapes
  are not checked here.
* Distances other than the three of `_NEIGHBOURS`: they read vectors of the file unchecked, or
  call a function.
* Estimators without `predict` or `transform` for new rows, dates, and everything outside numpy
  and scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["REVIEWED", "nodes", "unreviewed"]


class _Group(NamedTuple):
    reason: str
    loader: str
    names: Mapping[str, str]
    """By module: the names, with spaces between."""


_NUMBERS = (
    "bool bool_ int8 int16 int32 int64 intc intp uint8 uint16 uint32 uint64 longlong ulonglong"
    " float16 float32 float64 longdouble complex64 complex128 str_ bytes_ object_"
)

_LOSSES = (
    "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss"
    " CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity"
    " CyHuberLoss CyPinballLoss"
)
_SGD_LOSSES = "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge"
_HISTOGRAMS = "sklearn.ensemble._hist_gradient_boosting"

REVIEWED: tuple[_Group, ...] = (
    _Group(
        "Containers are called with their own items and nothing else. `Bunch` is a dictionary"
        " whose keys can be read as attributes.",
        "DictNode",
        {"builtins": "dict", "collections": "OrderedDict", "sklearn.utils._bunch": "Bunch"},
    ),
    _Group("As above.", "DefaultDictNode", {"collections": "defaultdict"}),
    _Group("As above.", "ListNode", {"builtins": "list"}),
    _Group("As above.", "TupleNode", {"builtins": "tuple"}),
    _Group("As above.", "SetNode", {"builtins": "set"}),
    _Group("Bytes and slices hold plain data.", "BytesNode", {"builtins": "bytes"}),
    _Group("As above.", "SliceNode", {"builtins": "slice"}),
    _Group(
        "Arrays and scalars are read by numpy with pickling off; the scalar's type is called with"
        " the array.",
        "NdArrayNode",
        {"numpy": f"ndarray {_NUMBERS}"},
    ),
    _Group("Two arrays.", "MaskedArrayNode", {"numpy.ma": "MaskedArray"}),
    _Group("As above.", "MaskedArrayNode", {"numpy.ma.core": "MaskedArray"}),
    _Group("The dtype of an empty array that numpy reads.", "DTypeNode", {"numpy": "dtype"}),
    _Group(
        "Types of keys and of results: plain Python and numpy scalars, which compute nothing but"
        " a conversion when they are called.",
        "TypeNode",
        {"builtins": "int float str bool list dict tuple set", "numpy": _NUMBERS},
    ),
    _Group(
        "numpy checks the state that it is given, except for the position in it, which"
        " `checks` looks at.",
        "RandomStateNode",
        {"numpy.random.mtrand": "RandomState"},
    ),
    _Group(
        "As above, of a kind whose state has no position.",
        "RandomGeneratorNode",
        {"numpy.random._generator": "Generator"},
    ),
    _Group(
        "Steps that hold other steps. Built with `__new__` and a dictionary of attributes; when"
        " run they call the methods of the steps, which are reviewed themselves. Paths for"
        " caching are joblib objects, which are not reviewed.",
        "ObjectNode",
        {
            "sklearn.pipeline": "Pipeline FeatureUnion",
            "sklearn.compose._column_transformer": "ColumnTransformer",
            "sklearn.calibration": "CalibratedClassifierCV _CalibratedClassifier"
            " _SigmoidCalibration _TemperatureScaling",
            "sklearn.ensemble._bagging": "BaggingClassifier BaggingRegressor",
            "sklearn.ensemble._stacking": "StackingClassifier StackingRegressor",
            "sklearn.ensemble._voting": "VotingClassifier VotingRegressor",
            "sklearn.ensemble._weight_boosting": "AdaBoostClassifier AdaBoostRegressor",
            "sklearn.frozen._frozen": "FrozenEstimator",
            "sklearn.model_selection._classification_threshold": "FixedThresholdClassifier",
            "sklearn.model_selection._search": "GridSearchCV",
            "sklearn.multiclass": "OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier"
            " _ConstantPredictor",
            "sklearn.multioutput": "ClassifierChain MultiOutputClassifier MultiOutputRegressor"
            " RegressorChain",
            "sklearn.semi_supervised._self_training": "SelfTrainingClassifier",
        },
    ),
    _Group(
        "What a search keeps of the way it split and scored: only `fit` and `score` call it.",
        "ObjectNode",
        {
            "sklearn.metrics._scorer": "_PassthroughScorer",
            "sklearn.model_selection._split": "KFold StratifiedKFold",
            "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
        },
    ),
    _Group(
        "Linear models, naive Bayes, discriminant analysis, mixtures and the rest of this group"
        " keep arrays and numbers; they answer with numpy's checked operations on them.",
        "ObjectNode",
        {
            "sklearn.covariance._elliptic_envelope": "EllipticEnvelope",
            "sklearn.cross_decomposition._pls": "CCA PLSCanonical PLSRegression PLSSVD",
            "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis"
            " QuadraticDiscriminantAnalysis",
            "sklearn.dummy": "DummyClassifier DummyRegressor",
            "sklearn.isotonic": "IsotonicRegression",
            "sklearn.kernel_ridge": "KernelRidge",
            "sklearn.linear_model._base": "LinearRegression",
            "sklearn.linear_model._bayes": "ARDRegression BayesianRidge",
            "sklearn.linear_model._coordinate_descent": "ElasticNet ElasticNetCV Lasso LassoCV"
            " MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV",
            "sklearn.linear_model._glm.glm": "GammaRegressor PoissonRegressor TweedieRegressor",
            "sklearn.linear_model._huber": "HuberRegressor",
            "sklearn.linear_model._least_angle": "Lars LarsCV LassoLars LassoLarsCV LassoLarsIC",
            "sklearn.linear_model._logistic": "LogisticRegression LogisticRegressionCV",
            "sklearn.linear_model._omp": "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV",
            "sklearn.linear_model._passive_aggressive": "PassiveAggressiveClassifier"
            " PassiveAggressiveRegressor",
            "sklearn.linear_model._perceptron": "Perceptron",
            "sklearn.linear_model._quantile": "QuantileRegressor",
            "sklearn.linear_model._ransac": "RANSACRegressor",
            "sklearn.linear_model._ridge": "Ridge RidgeCV RidgeClassifier RidgeClassifierCV",
            "sklearn.linear_model._stochastic_gradient": "SGDClassifier SGDOneClassSVM"
            " SGDRegressor",
            "sklearn.linear_model._theil_sen": "TheilSenRegressor",
            "sklearn.mixture._bayesian_mixture": "BayesianGaussianMixture",
            "sklearn.mixture._gaussian_mixture": "GaussianMixture",
            "sklearn.naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB"
            " MultinomialNB",
            "sklearn.neighbors._nearest_centroid": "NearestCentroid",
            "sklearn.neural_network._multilayer_perceptron": "MLPClassifier MLPRegressor",
            "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
            "sklearn.svm._classes": "LinearSVC LinearSVR",
        },
    ),
    _Group(
        "Transformers that keep arrays, categories and words, and answer with numpy, dictionaries"
        " and regular expressions.",
        "ObjectNode",
        {
            "sklearn.decomposition._factor_analysis": "FactorAnalysis",
            "sklearn.decomposition._fastica": "FastICA",
            "sklearn.decomposition._incremental_pca": "IncrementalPCA",
            "sklearn.decomposition._kernel_pca": "KernelPCA",
            "sklearn.decomposition._pca": "PCA",
            "sklearn.decomposition._truncated_svd": "TruncatedSVD",
            "sklearn.feature_extraction.text": "CountVectorizer TfidfTransformer TfidfVectorizer",
            "sklearn.feature_selection._from_model": "SelectFromModel",
            "sklearn.feature_selection._rfe": "RFE RFECV",
            "sklearn.feature_selection._sequential": "SequentialFeatureSelector",
            "sklearn.feature_selection._univariate_selection": "GenericUnivariateSelect SelectFdr"
            " SelectFpr SelectFwe SelectKBest SelectPercentile",
            "sklearn.feature_selection._variance_threshold": "VarianceThreshold",
            "sklearn.impute._base": "MissingIndicator SimpleImputer",
            "sklearn.impute._iterative": "IterativeImputer _ImputerTriplet",
            "sklearn.impute._knn": "KNNImputer",
            "sklearn.kernel_approximation": "AdditiveChi2Sampler Nystroem RBFSampler"
            " SkewedChi2Sampler",
            "sklearn.preprocessing._data": "Binarizer KernelCenterer MaxAbsScaler MinMaxScaler"
            " Normalizer PowerTransformer QuantileTransformer RobustScaler StandardScaler",
            "sklearn.preprocessing._discretization": "KBinsDiscretizer",
            "sklearn.preprocessing._encoders": "OneHotEncoder OrdinalEncoder",
            "sklearn.preprocessing._label": "LabelBinarizer LabelEncoder MultiLabelBinarizer",
            "sklearn.preprocessing._polynomial": "PolynomialFeatures",
            "sklearn.preprocessing._target_encoder": "TargetEncoder",
            "sklearn.random_projection": "GaussianRandomProjection",
        },
    ),
    _Group(
        "Gaussian processes and their kernels: formulas of numbers, as objects.",
        "ObjectNode",
        {
            "sklearn.gaussian_process._gpc": "GaussianProcessClassifier"
            " _BinaryGaussianProcessClassifierLaplace",
            "sklearn.gaussian_process._gpr": "GaussianProcessRegressor",
            "sklearn.gaussian_process.kernels": "CompoundKernel ConstantKernel DotProduct"
            " ExpSineSquared Exponentiation Matern Product RBF RationalQuadratic Sum WhiteKernel",
        },
    ),
    _Group(
        "Trees and their ensembles. Compiled code follows the child and feature indexes of the"
        " node arrays without bounds checks, and skops therefore refuses them all;"
        " `checks` reads every index before the model answers anything.",
        "ObjectNode",
        {
            "sklearn.tree._classes": "DecisionTreeClassifier DecisionTreeRegressor"
            " ExtraTreeClassifier ExtraTreeRegressor",
            "sklearn.ensemble._forest": "ExtraTreesClassifier ExtraTreesRegressor"
            " RandomForestClassifier RandomForestRegressor RandomTreesEmbedding",
            "sklearn.ensemble._gb": "GradientBoostingClassifier GradientBoostingRegressor",
            "sklearn.ensemble._iforest": "IsolationForest",
            f"{_HISTOGRAMS}.binning": "_BinMapper",
            f"{_HISTOGRAMS}.gradient_boosting": "HistGradientBoostingClassifier"
            " HistGradientBoostingRegressor",
            f"{_HISTOGRAMS}.predictor": "TreePredictor",
        },
    ),
    _Group(
        "As above; its constructor's arguments too.", "TreeNode", {"sklearn.tree._tree": "Tree"}
    ),
    _Group(
        "Loss and link functions: formulas with at most one number as a parameter.",
        "ObjectNode",
        {
            "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogitLink LogLink"
            " MultinomialLogit",
            "sklearn._loss.loss": "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss"
            " HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HalfTweedieLoss"
            " HalfTweedieLossIdentity HuberLoss PinballLoss",
        },
    ),
    _Group(
        "The compiled halves of the losses, called with that number.",
        "LossNode",
        {
            "sklearn._loss._loss": _LOSSES,
            "_loss": _LOSSES,
            "sklearn.linear_model._sgd_fast": _SGD_LOSSES,
            "_sgd_fast": _SGD_LOSSES,
        },
    ),
    _Group(
        "Neighbours, support vectors and cluster centres. Compiled code reads their arrays by"
        " shapes and indexes of the file, which `checks` compares with each other. The"
        " three distances have no parameters.",
        "ObjectNode",
        {
            "sklearn.cluster._affinity_propagation": "AffinityPropagation",
            "sklearn.cluster._kmeans": "KMeans MiniBatchKMeans",
            "sklearn.cluster._mean_shift": "MeanShift",
            "sklearn.metrics._dist_metrics": "EuclideanDistance64 ManhattanDistance64"
            " ChebyshevDistance64",
            "sklearn.neighbors._ball_tree": "BallTree",
            "sklearn.neighbors._classification": "KNeighborsClassifier RadiusNeighborsClassifier",
            "sklearn.neighbors._kd_tree": "KDTree",
            "sklearn.neighbors._regression": "KNeighborsRegressor RadiusNeighborsRegressor",
            "sklearn.svm._classes": "NuSVC NuSVR OneClassSVM SVC SVR",
        },
    ),
    _Group(
        "Scores of features, which selectors name and only `fit` calls; pure arithmetic anyway.",
        "FunctionNode",
        {
            "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_regression"
            " r_regression",
            "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
        },
    ),
)

_FUNCTION_TRANSFORMER = "sklearn.preprocessing._function_transformer.FunctionTransformer"
_PAIRS = frozenset(
    (group.loader, f"{module}.{name}")
    for group in REVIEWED
    for module, names in group.names.items()
    for name in names.split()
)


def nodes(schema: object) -> Iterator[Mapping[str, Any]]:
    """Every node of a file's JSON tree, wherever it stands."""
    stack = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "__loader__" in item:
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def unreviewed(schema: object) -> list[str]:
    """The names that a file builds in a way that was not reviewed, sorted."""
    found: set[str] = set()
    for node in nodes(schema):
        loader, name = node["__loader__"], f"{node.get('__module__')}.{node.get('__class__')}"
        # A JSON node is read as JSON; the type that it names is not used.
        if loader == "JsonNode" or (loader, name) in _PAIRS or _is_identity(name, node):
            continue
        found.add(name)
    return sorted(found)


def _is_identity(name: str, node: Mapping[str, Any]) -> bool:
    """Whether a node is what `ColumnTransformer` keeps for the columns that it passes through."""
    if (node["__loader__"], name) != ("ObjectNode", _FUNCTION_TRANSFORMER):
        return False
    state = node.get("content", {}).get("content", {})
    functions = [state.get("func", {}), state.get("inverse_func", {})]
    return all(f.get("__loader__") == "JsonNode" and f.get("content") == "null" for f in functions)
