"""Files over HTTP: BokehJS, extensions, apps' own files."""
