"""Gates around a pytest session: `pytest --gatekeeper=pre,post`, and `pytest.main()` with it."""
