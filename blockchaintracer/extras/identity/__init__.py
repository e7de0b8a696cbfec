"""Who an account or a group is: claims that point both ways. A member signs who they are, and the other side (ORCID, a
domain, GitHub, ENS) names the account, the group or the claim. docs/identity.md says what that shows.
"""
