"""Plants defects into copies of the tree, and looks for the swarm run that notices each.

`bugs` reads patches and makes copies, `hound` searches inside of one copy, in a process of its own,
`hunt` sends hounds and tells what they bring.
"""
