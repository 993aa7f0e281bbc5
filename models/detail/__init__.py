"""Maps that gain detail from scale to scale: MagNet (Huynh et al. 2021)."""
