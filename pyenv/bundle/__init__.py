"""What a bundle needs beside its files: the shared libraries, the licence texts and the list of all that is in it.

`scripts/bundle` puts the folder together and calls this (`pyenv/python -m bundle FOLDER`); nothing here is shipped.
"""
