"""Phrases that synthetic posts are built of. Nobody named here is a real person.

Source: the data contract, section 2, for real posts.
"""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "art": ("Acrylic Pouring", "Watercolor Flowers", "Pencil Portraits", "Wall Murals", "Clay Bowls", "Line Drawings"),
    "beauty": ("Nail Designs", "Curly Hair", "Summer Makeup", "Skin Care", "Bridal Braids", "Winged Eyeliner"),
    "christmas": ("Front Porch", "Tree Ornaments", "Gift Wrapping", "Gingerbread", "Advent Calendar", "Dollar Store"),
    "diy-and-crafts": ("Paper Crafts", "Macrame", "Candle Making", "Pallet Wood", "Cricut Projects", "Yarn Animals"),
    "education": ("Nature Study", "Sight Words", "Fractions", "Reading Corner", "Science Fair", "Lesson Plans"),
    "event-planning": ("Baby Shower", "Wedding Table", "Birthday Party", "Balloon Arch", "Garden Party", "Guest List"),
    "finance": ("Budget Binder", "Side Jobs", "Paying Off Debt", "Saving Challenge", "Coupons", "Passive Income"),
    "home-decor": ("Coffee Table", "Small Bedroom", "Farmhouse Kitchen", "Gallery Wall", "Entryway", "Boho Bathroom"),
    "mens-fashion": ("Band T-Shirts", "Beard Styles", "Winter Coats", "White Sneakers", "Suit Colors", "Watches"),
    "quotes": ("Monday Motivation", "Friendship", "Self Love", "Short Poems", "Moving On", "Stoic Wisdom"),
    "tattoos": ("Sunflower Tattoo", "Minimalist Tattoos", "Sleeve Ideas", "Fine Line", "Mountain Tattoo", "Lettering"),
    "travel": ("Costa Rica", "Lake Moraine", "Packing List", "Road Trip", "Weekend in Lisbon", "Family Vacation"),
    "vehicles": ("Vintage Cars", "Camper Van", "Cafe Racer", "Electric Bikes", "Truck Bed", "Muscle Cars"),
}

CATEGORIES: tuple[str, ...] = tuple(SUBJECTS)

# {s} is a subject, {c} the category, {n} one of four numbers, which makes a template four times as likely.
# Commas, quotes, backslashes, tabs, line feeds and markup are intended.
TITLES: tuple[str, ...] = (
    "{n} {s} Ideas",
    "{n} {s} Ideas - [Best Rated Designs in 2021]",
    "The Best {s} for Beginners",
    "How to Start with {s}: {n} Mistakes You're Making (and what to do instead)",
    "{s} - Of Life and Lisa",
    "{s} | Tips, Tricks & More",
    "Easy {s} in {n} Minutes",
    "{s} Inspiration – {c}",
    "My {s} Journey, Part {n}",
    'Why everybody talks about "{s}"',
    "{s}: the Ultimate Guide",
    "{n}+ {s} on a Budget",
    "Pin on {s}",
    "{s}",
    "{n} TIMELESS {s} YOU NEED",
    "Simple {s} / Step by Step",
    "{s} for Kids \\ Toddlers",
    "{s} Aesthetic",
    "What I Learned from {n} Days of {s}",
    "Modern {s}",
    "Cozy {s} for Rainy Days",
    "{s} Cheat Sheet (free printable)",
    "Unique {s} Nobody Told You About",
    "{s} Trends {n}",
    "✨ {s} ✨",
    "{s} you will love 😍🎄",
    "{s} 👩‍🎨 ideas",
    "<b>{s}</b> &amp; more",
    '<a href="#more">{s}</a>',
    "{s}\nIdeas and more",
    "{s}\r\n\tby hand",
    "Идеи: {s} своими руками",
    "{s}のアイデア",
    "{s}创意大全",
)

DESCRIPTIONS: tuple[str, ...] = (
    "These {s} ideas are easy to follow and look great. Creative and…",
    "We have put together the ultimate {s} collection. Check out our {n} highest rated designs here!",
    "Looking for {s}? Here are {n} of my favorites, with step by step pictures and a list of what you…",
    "This post may contain affiliate links, read our Disclosure Policy for more information. {s} made simple…",
    "{s} without spending a lot of money? Yes, it can be done in {n} minutes.",
    'How the heck do they do it? {n} things about "{s}" that nobody tells you, and what you should do instead.',
    "See more ideas about {s}, {c} and everything that goes with it.",
    "{s}: material, colors, sizes. 1. Choose 2. Cut 3. Enjoy. Quantity: {n} pcs",
    "I love this modern, simple way of {s}. Save it for later! 👍",
    "{s} – Ideen für zu Hause, größer, schöner, günstiger",
    "Всё о теме {s}: простые шаги",
    "{s}について、簡単なステップをご紹介します。",
    "关于{s}的简单步骤",
    "<p>{s}</p><br/>Read more on my blog",
    "First line about {s}\nsecond line about {c}",
    "{s} for everyone, from Calgary to Vancouver, in {n} pictures",
)

TAG_ENDINGS: tuple[str, ...] = (
    "Ideas",
    "Inspiration",
    "For Beginners",
    "Aesthetic",
    "Tips",
    "Diy",
    "Vintage",
    "Simple",
    "Projects",
    "For Women",
    "For Men",
    "Trends",
    "Photos",
    "101",
)

POSTER_NAMES: tuple[str, ...] = (
    "{f} {l}",
    "{f} {l} | Lifestyle Blog",
    "{f}'s {s}",
    "The {s} Mum",
    "{f} {{{l}Creates.com}}",
    "{l} & Co. | {s}, Decor & DIY",
    "{s} with {f}",
    "{f} ✈️ {s}",
    "Everyday {s} by {l}",
    "Our {s} Life ({f})",
)

_FIRST = """
    Aaron Abigail Adam Adrian Aisha Alan Alejandra Alexander Alexandria Alice Amanda Amber Amina Amy Andrea Andrew
    Angela Anna Anthony Ashley Barbara Benjamin Beth Brandon Brenda Brian Brittany Caitlin Cameron Carlos Carolyn
    Catherine Charles Chloé Christina Christopher Cynthia Daniel David Deborah Diana Dmitri Donna Dylan Edward Elena
    Elizabeth Emily Eric Erin Ethan Evelyn Fatima Frank Gabriel George Grace Hannah Heather Helen Henry Isaac Isabel
    Jacob Jamal James Jasmine Jennifer Jessica Joan John Jordan José Joshua Juan Julia Justin Karen Katherine Kenji
    Kevin Kimberly Larissa Laura Lauren Leah Liam Lisa Lucas Luis Madison Marcus Maria Mark Mary Matthew Megan Mei
    Melissa Michael Michelle Mohammed Monica Nancy Natalie Nathan Nicole Noah Olga Olivia Omar Patricia Paul Peter
    Priya Rachel Rebecca Richard Robert Ryan Samantha Samuel Sara Scott Sofía Stephanie Susan Taylor Thomas Tiffany
    Timothy Tyler Vanessa Victoria Walter Wendy William Xavier Yasmin Yuki Zachary Zoë"""
FIRST_NAMES: tuple[str, ...] = tuple(_FIRST.split())

_LAST = """
    Abbott Acosta Adams Aguirre Ali Allen Alvarado Anderson Andrews Bailey Baker Barnes Becker Bell Bennett Black
    Bradshaw Brooks Brown Butler Campbell Carter Castillo Cervantes Chan Chavez Clark Cohen Collins Cook Cooper Cox
    Cruz D'Angelo Davenport Davies Davis Diaz Edwards Ellis Evans Ewing Fernández Fisher Flores Ford Foster Fox García
    Gibson Gomez Gonzalez Graham Gray Green Griffin Hall Hansen Harris Harvey Henderson Hernandez Hill Hoffman Howard
    Hughes Hunt Ivanova Jackson Jacobs Jenkins Jensen Johnson Jones Kaur Kelly Kennedy Khan Kim King Knight Kowalski
    Lee Lewis Li Long Lopez Marshall Martin Martinez Mason Meyer Miller Mitchell Moore Morales Morgan Morris Müller
    Murphy Murray Myers Nguyen Nowak O'Brien O'Connor Olsen Ortiz Owens Palmer Parker Patel Perez Peterson Phillips
    Powell Price Ramirez Reed Reyes Richardson Rivera Roberts Robinson Rogers Rossi Russell Ryan Sanchez Sanders Sato
    Schmidt Scott Shaw Silva Simmons Singh Smith Smith-Jones Stewart Stone Suzuki Taylor Thompson Torres Turner Walker
    Wang Ward Watson West White Williams Wilson Wood Wright Wu Young Zhang"""
LAST_NAMES: tuple[str, ...] = tuple(_LAST.split())
