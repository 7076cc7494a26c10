"""An index in a folder: files that never change, pages that are switched in one step."""
