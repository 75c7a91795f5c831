"""What every client must pass, in whatever language: a scripted server, the harness that runs a client's program, and
the same script over the Python client. tests/bridge/test_client_*.py call run.run_client.
"""
