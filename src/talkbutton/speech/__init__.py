"""Workers that hear and speak: models in processes of their own, behind a plain socket."""
