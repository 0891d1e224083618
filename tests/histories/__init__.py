"""Lives of dossiers as releases kept them, never edited: what a later release must still read, prove and go on from."""
