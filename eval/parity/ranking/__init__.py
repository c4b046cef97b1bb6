"""Does our world rank policies as the original does?"""
