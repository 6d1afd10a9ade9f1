"""Images, masks, views and stores."""
