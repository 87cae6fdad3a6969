"""What every topic must do."""


def test_published_once(world):
    """TOPI-010 Every message published is handed on, in order, and only once."""
    backend = world.backend
    backend.topic.publish('[{"n":1}]')
    backend.topic.publish('[{"n":2}]')

    assert backend.published() == ['[{"n":1}]', '[{"n":2}]']
    assert backend.published() == []
    backend.topic.publish("é" * 1_000)
    assert backend.published() == ["é" * 1_000]
