"""Texts that senders write where they have no value; cleaning makes them null. Source: the data contract, section 3."""

PIN_PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "title": ("No Title Data Available",),
    "description": (
        "No description available",
        "No description available Story format",
        "Untitled",
    ),
    "poster_name": ("User Info Error",),
    "follower_count": ("User Info Error",),
    "tag_list": ("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",),
    "image_src": ("Image src error.",),
}
"""By field of a pin: whole trimmed texts that mean "no value"."""
