"""The site of published releases and of who reproduced them: static pages, a style sheet, a feed. No scripts."""
