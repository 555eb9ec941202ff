from django.db import models


class Entry(models.Model):
    """What somebody has left in the guest book."""

    text = models.CharField(max_length=200)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "entries"

    def __str__(self):
        return self.text
