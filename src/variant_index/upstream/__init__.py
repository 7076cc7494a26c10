"""Reading other indexes: sources, the network, project pages, variants documents."""
