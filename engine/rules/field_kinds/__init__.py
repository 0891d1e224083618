"""Each kind of field in one place: how it is read, judged, typed for conditions and said to a reader."""
