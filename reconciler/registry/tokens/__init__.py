"""Tokens of ServiceAccounts, as an API server issues and reviews them (TokenRequest, TokenReview).

``signing`` makes and checks JSON Web Tokens with one key (loaded when the first is needed); ``authority`` knows accounts and what a token is bound to.
"""

from reconciler.registry.tokens.authority import ISSUER, ServiceAccountTokens

__all__ = ["ISSUER", "ServiceAccountTokens"]
