"""How well k-means labels agree with known labels of the images."""

from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix


def nmi(labels: ArrayLike, truth: ArrayLike) -> float:
    """Normalised mutual information in percent, 100 for equal partitions; mean of the entropies as the normaliser.

    Args:
        labels, truth: (N,) labels of the same images, of any kind.
    """
    return 100 * float(normalized_mutual_info_score(truth, labels, average_method="arithmetic"))


def clustering_accuracy(labels: ArrayLike, truth: ArrayLike) -> float:
    """Percent of images whose cluster stands for their class under the best one-to-one matching.

    Args:
        labels, truth: (N,) labels of the same images; the numbers of clusters and classes may differ.
    """
    table = contingency_matrix(truth, labels)
    return 100 * float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())
