"""Data: labelled image sets as uint8 arrays, fingerprinted, from TFDS folders or drawn on the spot."""

from jaxae.data import synthetic
from jaxae.data.dataset import AS_JPEG, Dataset, fingerprint
from jaxae.data.folders import PREPARABLE, Prepared, count, is_prepared, listing, location, official_count
from jaxae.data.loading import load
from jaxae.data.own import from_arrays, from_folder, is_folder
from jaxae.data.pairing import Pairs, pairs
from jaxae.data.preparation import prepare

__all__ = [
    "AS_JPEG",
    "PREPARABLE",
    "Dataset",
    "Pairs",
    "Prepared",
    "count",
    "fingerprint",
    "from_arrays",
    "from_folder",
    "is_folder",
    "is_prepared",
    "listing",
    "load",
    "location",
    "official_count",
    "pairs",
    "prepare",
    "synthetic",
]
