"""The live loop: newest input wins, everybody gets a turn. No web and no torch in here."""
