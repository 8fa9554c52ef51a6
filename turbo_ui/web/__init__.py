"""The web edge: page, live lane, guard. No torch in here."""
