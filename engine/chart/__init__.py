"""Chart: what is personal is found and masked, and the contract is measured."""
