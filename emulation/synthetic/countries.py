"""The 237 country names of the source, with commas, quotes and parentheses as in real data."""

_NAMES = """
    Afghanistan; Albania; Algeria; American Samoa; Andorra; Angola; Anguilla;
    Antarctica (the territory South of 60 deg S); Antigua and Barbuda; Argentina; Armenia; Aruba; Australia; Austria;
    Azerbaijan; Bahamas; Bahrain; Bangladesh; Barbados; Belarus; Belgium; Belize; Benin; Bermuda; Bhutan; Bolivia;
    Bosnia and Herzegovina; Botswana; Bouvet Island (Bouvetoya); Brazil;
    British Indian Ocean Territory (Chagos Archipelago); British Virgin Islands; Brunei Darussalam; Bulgaria;
    Burkina Faso; Burundi; Cambodia; Cameroon; Canada; Cape Verde; Cayman Islands; Central African Republic; Chad;
    Chile; China; Christmas Island; Cocos (Keeling) Islands; Colombia; Comoros; Congo;
    Congo, Democratic Republic of the; Cook Islands; Costa Rica; Cote d'Ivoire; Croatia; Cuba; Cyprus; Czech Republic;
    Denmark; Djibouti; Dominica; Dominican Republic; Ecuador; Egypt; El Salvador; Equatorial Guinea; Eritrea; Estonia;
    Ethiopia; Falkland Islands (Malvinas); Faroe Islands; Fiji; Finland; France; French Guiana; French Polynesia;
    French Southern Territories; Gabon; Gambia; Georgia; Germany; Ghana; Gibraltar; Greece; Greenland; Grenada;
    Guadeloupe; Guatemala; Guinea; Guinea-Bissau; Guyana; Haiti; Heard Island and McDonald Islands;
    Holy See (Vatican City State); Honduras; Hong Kong; Hungary; Iceland; India; Indonesia; Iran; Iraq; Ireland;
    Isle of Man; Israel; Italy; Jamaica; Japan; Jersey; Jordan; Kazakhstan; Kenya; Kiribati;
    Korea, Democratic People's Republic of; Korea, Republic of; Kuwait; Kyrgyz Republic;
    Lao People's Democratic Republic; Latvia; Lebanon; Lesotho; Liberia; Libyan Arab Jamahiriya; Liechtenstein;
    Lithuania; Luxembourg; Macao; Madagascar; Malawi; Malaysia; Maldives; Mali; Malta; Marshall Islands; Martinique;
    Mauritania; Mauritius; Mexico; Micronesia, Federated States of; Moldova; Monaco; Mongolia; Montenegro;
    Montserrat; Morocco; Mozambique; Myanmar; Namibia; Nauru; Nepal; Netherlands; New Caledonia;
    New Zealand; Nicaragua; Niger; Nigeria; North Macedonia; Northern Mariana Islands; Norway;
    Oman; Pakistan; Palau; Palestinian Territory; Panama; Papua New Guinea; Paraguay; Peru; Philippines;
    Pitcairn Islands; Poland; Portugal; Puerto Rico; Qatar; Reunion; Romania; Russian Federation; Rwanda;
    Saint Barthelemy; Saint Helena; Saint Kitts and Nevis; Saint Lucia; Saint Pierre and Miquelon;
    Saint Vincent and the Grenadines; Samoa; San Marino; Sao Tome and Principe; Saudi Arabia; Senegal; Serbia;
    Seychelles; Sierra Leone; Singapore; Slovakia (Slovak Republic); Slovenia; Solomon Islands; Somalia; South Africa;
    South Georgia and the South Sandwich Islands; Spain; Sri Lanka; Sudan; Suriname; Svalbard & Jan Mayen Islands;
    Swaziland; Sweden; Switzerland; Syrian Arab Republic; Taiwan; Tajikistan; Tanzania; Thailand; Timor-Leste; Togo;
    Tonga; Trinidad and Tobago; Tunisia; Turkey; Turkmenistan; Turks and Caicos Islands; Tuvalu; Uganda;
    Ukraine; United Arab Emirates; United Kingdom; United States Minor Outlying Islands; United States Virgin Islands;
    United States of America; Uruguay; Uzbekistan; Vanuatu; Venezuela; Vietnam; Wallis and Futuna; Western Sahara;
    Yemen; Zambia; Zimbabwe"""

COUNTRIES: tuple[str, ...] = tuple(name.strip() for name in _NAMES.split(";"))
