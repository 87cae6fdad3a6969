"""What happens to a position whose equity is below its maintenance margin. Pure steps over values.

`case` is what a preset may look at and what it may answer, `presets` finds one by name,
`close_out` does the money of a close, `adl` ranks and allocates, `index` finds who is due.
"""
