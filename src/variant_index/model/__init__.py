"""Values the other rooms speak in: file names with a label, properties, documents, machine profiles."""
