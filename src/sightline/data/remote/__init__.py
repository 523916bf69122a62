"""Datasets in object stores: Amazon S3 and all that speak its language, Google Cloud Storage.

`urls` tells their URLs from paths and costs nothing to import; `store` is one place in a store;
`transfer` moves datasets.
"""
