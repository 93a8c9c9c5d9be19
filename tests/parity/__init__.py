"""Parity with a real kubelet: the same pods run in a cluster and in the prediction, and what differs is a defect."""

NAME_OF_IMAGE = "localhost/tocsin-parity:1"
"""Any image with a `python3` on its PATH does; this is the one that tests/parity/image.py makes."""
