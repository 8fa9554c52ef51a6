"""Words of captions that name no thing."""

BESIDE = ("next to", "beside", "near", "with")
ABOVE = ("above", "over", "on top of")
BELOW = ("under", "below", "beneath")
SIDES = ("on the left", "on the right")
NUMBERS = ("", "", "two", "three", "four")
PRAISE = ("cute", "beautiful", "lovely", "nice", "funny", "pretty", "simple", "sweet", "adorable")
STYLES = (
    "highly detailed", "detailed", "very detailed", "best quality", "high quality", "masterpiece",
    "4k", "8k", "hd", "sharp", "sharp focus", "soft light", "soft lighting", "studio light",
    "studio lighting", "cinematic", "cinematic lighting", "realistic", "photorealistic",
    "3d render", "3d", "render", "clay", "clay render", "blender", "octane render", "cartoon",
    "illustration", "digital art", "concept art", "painting", "oil painting", "watercolor",
    "drawing", "sketch", "emoji", "icon", "minimalist", "vibrant", "colorful", "pastel colors",
    "trending on artstation", "for kids", "in the style of a children's book", "professional",
)  # fmt: skip
"""What people write to other models, too. Here it says nothing, and nothing is to come of it."""
NO_THINGS = frozenset(
    word
    for text in (*BESIDE, *ABOVE, *BELOW, *SIDES, *NUMBERS[2:], *PRAISE, *STYLES)
    for word in (text, *text.split())
)
"""No tag of a thing may be one of them: "two" is one of a camel, and "two cats" were camels; "left"
is one of the magnifying glass."""
