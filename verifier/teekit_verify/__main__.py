from teekit_verify.cli.app import entry_point

entry_point()
