"""What is counted, in minutes, days and for ever. The one room where a float may occur. Pure."""
