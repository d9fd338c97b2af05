"""Sources of bars. `base` says what each must provide, `create` makes one by its name, `massive` is Massive.com.

This module imports nothing: a provider's client and HTTP library are loaded with its first request.
"""
