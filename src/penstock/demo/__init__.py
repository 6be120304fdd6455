"""Simulated users and the demo's script. Reaches Penstock only as an outside program could."""
