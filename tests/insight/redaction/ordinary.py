"""Sentences with numbers that nobody needs to hide. They were written after the rules, and not by who wrote the rules."""

SENTENCES = """\
It's 3:45 pm on Tuesday the 14th
Our store opens at 8:30 and closes at 21:00
The total is $1,299.99 including tax
That comes to 1,299 dollars and 99 cents
It's twelve ninety-nine
It was nineteen ninety-five
I was born in nineteen eighty-four
We moved here in two thousand and nineteen
It's twenty twenty-six already
The appointment is on the 26th of November 2026
My order number is 12345
Order number one two three four five
My order is 4 8 2 1
The ticket number is 555
We need 3 rooms for 2 nights with 4 people
I ordered two of them, three weeks ago
One or two days, maybe three
It takes 5 to 7 business days
I have called 3 times already
There are 24 hours in a day and 7 days in a week
Call back in 10 minutes, or 15
We have 1,200 employees in 12 countries
The size is 42 and a half
I am 1 meter 80 tall
The temperature is 21 degrees
It's about 300 square feet
Bus number 14 stops here
Take exit 12 and then the second left
I live on 5th avenue number 120
It's the third house, number 7
He finished 2nd with 98 points
The score was 3 to 2
Version 2.4.1 has that bug
Windows 11 does not start
The iPhone 15 is out
Route 66 was great
Channel 4 at 9
Gate B12 at 10:40
Flight LH 456 leaves at 14:05
Room 237 please
Press 1 for sales
Press one now
I have two questions and one remark
Give me five minutes please
One moment please
Just a second
That one is mine and this one is yours
The first one was better than the second one
One of the two is broken
It's one of those days
No one told me
For one thing, it's late
I want to get two for the price of one
Ten years ago I had three dogs
We split it fifty fifty
He is one hundred percent right
I'd say seventy or eighty percent
A hundred and twenty euros per month
Two thousand five hundred dollars a year
It costs ninety-nine dollars
Fifteen hundred pounds
It's 12 euros 50
My rent is 1450 euros
My bill was 84 dollars in March and 92 in April
Between 10 and 12 o'clock
From nine to five
At quarter past six
Half past seven would be fine
At 6 or 7 in the evening
Monday to Friday, 9 to 5
Week 48
Since 2019 we have had 3 outages
It lasted from 1939 to 1945
The 2024 model
In the year 2000
Chapter 11
Invoice 20456
Invoice number 2045
Booking 7781
My reference is 90210
The extension is 1234
I need it by 12/05/2026
My birthday is 05.03.1990
Es kostet 49,90 Euro
Um 14 Uhr 30
Am 3. Mai 2026
Im Jahr 2019
Ich habe zwei Fragen
Das dauert drei bis vier Tage
Es sind dreihundert Leute
Das war neunzehnhundertneunundachtzig
Zimmer 204 bitte
Cuesta 25 euros con 50
A las cinco y media
Tengo dos hijos y tres perros
Son cien personas
Il est 14 heures 30
Ça coûte 25 euros
J'ai deux enfants
En deux mille dix-neuf
C'est un bon prix
Un moment s'il vous plaît
Je voudrais un café et deux thés
Le 14 juillet 1789
A quarter million people
Two and a half hours
The 1st and the 3rd
I scored 7 out of 10
We're 4 adults, 2 children and 1 dog
The password reset did not work 2 times
Add 2 and 2 and you get 4
About 15,000 steps
It's 5 miles or 8 kilometers
We sold 12,345 tickets
He earns 65,000 a year
The population is 8,336,817
My flat is 85 square meters on floor 3
I have 20 bucks
It's 10 below zero
Zero problems so far
It's zero percent interest
The rate is 3.75 percent
Oh, I see
Oh no
I ate too much
I won two of them
It is for two people
Come to the 4 o'clock meeting
Three, two, one, go
The items are 5, 12 and 30
My size is 38 or 40
It happened twice, no, three times
Six of one, half a dozen of the other
I paid 40 and she paid 50
They sent 2 instead of 3
It weighs 2.5 kilos
2 pm works, 3 pm does not
She is 7 and he is 9
""".splitlines()
