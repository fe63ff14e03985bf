"""How an app gets onto this host, read off the scripts that lie here: nothing of it is run."""
