"""Workers that hear and speak: models in processes of their own, behind a plain socket.

Each worker is one program with one model, one thread that computes and one Unix socket. It knows
nothing about calls beyond an opaque key, has no network and no secrets.
"""
