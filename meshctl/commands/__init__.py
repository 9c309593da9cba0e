"""The subcommands of `mesh`, one file per noun. They parse, call and print; what they do lies in the modules beside."""
