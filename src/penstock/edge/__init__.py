"""The edge: everything that machines talk to. Stateless but for its spool."""
