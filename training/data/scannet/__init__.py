"""ScanNetv2: recordings, scan folders, 2D annotation, training questions and 3D targets.

The data are under ScanNet's own terms of use; nothing made from them may be shipped.
"""
